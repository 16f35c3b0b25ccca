// Installs the newest versions of Nest, Fastify and Express, beyond the ranges of package.json and the lock file.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
const names = Object.keys(devDependencies).filter((name) => /^(@nestjs\/.+|@fastify\/.+|fastify|express)$/.test(name));
const packages = names.map((name) => `${name}@latest`);
console.log(`npm install ${packages.join(' ')}`);
execFileSync('npm', ['install', '--save-dev', '--no-audit', ...packages], { stdio: 'inherit' });

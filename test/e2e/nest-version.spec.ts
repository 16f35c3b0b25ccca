import { readFileSync } from 'node:fs';

declare const NEST_MAJOR: string;

it(`runs on Nest ${NEST_MAJOR}`, () => {
  for (const name of ['common', 'core', 'platform-express', 'platform-fastify']) {
    const manifest = JSON.parse(readFileSync(require.resolve(`@nestjs/${name}/package.json`), 'utf8')) as {
      version: string;
    };
    expect(manifest.version.split('.')[0]).toBe(NEST_MAJOR);
  }
});

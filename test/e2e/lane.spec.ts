import { readFileSync } from 'node:fs';

declare const NEST_MAJOR: string;

it('runs on the version of Nest that the lane is named after', () => {
  for (const name of ['common', 'core', 'platform-express', 'platform-fastify']) {
    const manifest = JSON.parse(readFileSync(require.resolve(`@nestjs/${name}/package.json`), 'utf8')) as {
      version: string;
    };
    expect(manifest.version.split('.')[0]).toBe(NEST_MAJOR);
  }
});

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = resolve(__dirname, '../..');
const MAX_MINIFIED_BYTES = 2_048;

describe('nestjs-maintenance/client', () => {
  it('is at most 2 KB minified, in one file', async () => {
    const file = resolve(ROOT, 'libs/maintenance/dist/esm/client.js');
    expect(readFileSync(file, 'utf8')).not.toMatch(/\bimport\b|\brequire\b/);
    const program = `import { readFileSync } from 'node:fs';
      import { minifySync } from 'rolldown/experimental';
      const { code } = minifySync('client.js', readFileSync(${JSON.stringify(file)}, 'utf8'), { module: true });
      console.log(JSON.stringify(code));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { cwd: ROOT });
    const code = JSON.parse(stdout) as string;
    expect(code).toContain('watchMaintenance');
    expect(Buffer.byteLength(code)).toBeLessThanOrEqual(MAX_MINIFIED_BYTES);
  });

  it('works in Node without the packages of Nest', async () => {
    for (const load of ['require', 'await import']) {
      const program = `void (async () => {
        const { maintenanceOf } = ${load}('nestjs-maintenance/client');
        const response = new Response('', { status: 503, headers: { 'Maintenance-Mode': 'full' } });
        console.log(JSON.stringify([maintenanceOf(response), Object.keys(require.cache)]));
      })();`;
      const { stdout } = await run(process.execPath, ['-e', program], { cwd: ROOT });
      const [found, files] = JSON.parse(stdout) as [object, string[]];
      expect(found).toEqual({ mode: 'full', scope: '*', until: null, retryAfter: null });
      expect(files.filter((path) => path.includes('node_modules'))).toEqual([]);
    }
  });
});

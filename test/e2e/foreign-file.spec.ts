import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ADAPTERS, start } from './application.js';

const TOKEN = 'a-token-of-16-characters';
const MANIFEST = '{ "name": "shop" }';

it.each(ADAPTERS)(
  'enable(), disable(), during() and the admin endpoints never overwrite a file that is not a state (%s)',
  async (adapter) => {
    const folder = mkdtempSync(join(tmpdir(), 'maintenance-'));
    const file = join(folder, 'package.json');
    writeFileSync(file, MANIFEST);
    const running = await start(adapter, {
      options: { storage: `file:${file}`, adminToken: TOKEN },
      extras: { admin: true },
    });
    try {
      const refusal = {
        code: 'corrupt',
        message: expect.stringContaining(`${file} does not contain a valid maintenance state`),
      };
      const { maintenance } = running;
      await expect(maintenance.enable()).rejects.toMatchObject(refusal);
      await expect(maintenance.disable()).rejects.toMatchObject(refusal);
      await expect(maintenance.during(async () => undefined)).rejects.toMatchObject(refusal);
      for (const change of ['on', 'off']) {
        const answer = await running.call(`/maintenance-mode/${change}`, {
          method: 'POST',
          headers: { authorization: `Bearer ${TOKEN}` },
        });
        expect([answer.status, answer.text]).toEqual([502, expect.stringContaining('--force')]);
      }
      expect(readFileSync(file, 'utf8')).toBe(MANIFEST);
      expect(readdirSync(folder).sort()).toEqual(['.package.json.instances', 'package.json']);
    } finally {
      await running.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

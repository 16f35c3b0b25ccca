// Says what reading and writing have changed in this process: node reader.mjs <path>
import fs from 'node:fs';
import { FileStateStorage } from 'nestjs-maintenance';

const apis = { process, fs, promises: fs.promises };
const before = Object.entries(apis).map(([name, api]) => [name, api, { ...api }]);
const listenersBefore = process.eventNames();

const storage = new FileStateStorage(process.argv[2]);
await storage.read();
await storage.reports();
await (
  await storage.watch(() => undefined)
)();
await storage.write({ format: 1, lineage: 'reader', revision: 1, windows: [], history: [] }, null);

const patched = before.flatMap(([name, api, members]) =>
  Object.keys(members)
    .filter((member) => typeof members[member] === 'function' && api[member] !== members[member])
    .map((member) => `${name}.${member}`),
);
const listeners = process
  .eventNames()
  .filter((name) => !listenersBefore.includes(name))
  .map(String);
console.log(JSON.stringify({ listeners, patched }));

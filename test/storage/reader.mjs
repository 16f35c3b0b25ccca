// Says what a process that only reads has loaded, and what it has after a first write: node reader.mjs <path>
import { FileStateStorage } from 'nestjs-maintenance';

const cwd = process.cwd;
const loaded = () => ({ handlers: process.listenerCount('SIGTERM'), patched: process.cwd !== cwd });

const storage = new FileStateStorage(process.argv[2]);
await storage.read();
await storage.reports();
await (
  await storage.watch(() => undefined)
)();
const reading = loaded();
await storage.write({ format: 1, lineage: 'reader', revision: 1, windows: [], history: [] }, null);
console.log(JSON.stringify({ reading, writing: loaded() }));

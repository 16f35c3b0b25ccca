// Adds one to the revision, again and again: node writer.mjs <path or URL> <name> [<times>]
// Says "ready", waits for a line, then says each revision when the storage has confirmed it.
import { once } from 'node:events';
import { FileStateStorage } from 'nestjs-maintenance';
import { MysqlStateStorage } from 'nestjs-maintenance/mysql';
import { PostgresStateStorage } from 'nestjs-maintenance/postgres';

const [path, name, times = 'Infinity'] = process.argv.slice(2);
const storage = open(path);
// Larger than a page and than one write of a full pipe: half of it would not pass for a whole.
const filler = 'x'.repeat(100_000);

function open(path) {
  // A call must not fail because its process was suspended, for as long as a busy machine takes.
  const timeout = 60_000;
  if (path.startsWith('postgres:')) return new PostgresStateStorage({ url: path, timeout });
  if (path.startsWith('mysql:')) return new MysqlStateStorage({ url: path, timeout });
  return new FileStateStorage(path);
}

async function increment(marker) {
  for (;;) {
    const content = await storage.read();
    const before = content?.state ?? {
      format: 1,
      lineage: 'writer',
      revision: 0,
      windows: [],
      history: [],
      markers: [],
    };
    const next = { ...before, revision: before.revision + 1, markers: [...before.markers, marker], filler };
    try {
      await storage.write(next, content?.version ?? null);
      return next.revision;
    } catch (error) {
      if (error.code !== 'conflict') throw error;
    }
  }
}

console.log('ready');
await once(process.stdin, 'data');
process.stdin.destroy();
for (let written = 1; written <= Number(times); written++) {
  const marker = `${name}-${written}`;
  console.log(`${await increment(marker)} ${marker}`);
}
await storage.close?.();

// Patches file handles like Yarn's Plug'n'Play and other replacements of `fs`: seldom used methods throw.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { open } = fs.promises;
fs.promises.open = async (...args) => {
  const handle = await open(...args);
  for (const method of ['sync', 'datasync', 'utimes']) {
    handle[method] = async () => {
      throw new Error('Method not implemented.');
    };
  }
  return handle;
};
syncBuiltinESMExports();

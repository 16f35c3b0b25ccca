// The smallest program of commander that reads one key from Redis and prints a line: bare-redis.mjs hello <url> <key>.
import { Command } from 'commander';
import { createClient } from 'redis';

const program = new Command('bare');
program
  .command('hello')
  .description('say hello')
  .argument('<url>')
  .argument('<key>')
  .action(async (url, key) => {
    const client = await createClient({ url }).connect();
    await client.get(key);
    client.destroy();
    console.log('hello');
  });
await program.parseAsync();

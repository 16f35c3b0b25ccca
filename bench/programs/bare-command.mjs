// The smallest program of commander: one command that prints a line.
import { Command } from 'commander';

const program = new Command('bare');
program
  .command('hello')
  .description('say hello')
  .action(() => console.log('hello'));
await program.parseAsync();

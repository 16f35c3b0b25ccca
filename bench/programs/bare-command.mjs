// The smallest program of nest-commander: one command that prints a line.
import { Module } from '@nestjs/common';
import { Command, CommandFactory, CommandRunner } from 'nest-commander';

class HelloCommand extends CommandRunner {
  async run() {
    console.log('hello');
  }
}
Command({ name: 'hello', description: 'say hello' })(HelloCommand);

class BareModule {}
Module({ providers: [HelloCommand] })(BareModule);

await CommandFactory.run(BareModule, { logger: false });

import 'reflect-metadata';
import { CommandFactory } from 'nest-commander';
import { ProgramModule } from './program.module.js';

await CommandFactory.run(ProgramModule);

import type { ModulesContainer } from '@nestjs/core';
import { CLI_ONLY } from '../maintenance.constants.js';

/** Whether the application is a command-line program, which serves no requests. */
export function isCliOnly(modules: ModulesContainer): boolean {
  return [...modules.values()].some(({ providers }) => providers.has(CLI_ONLY));
}

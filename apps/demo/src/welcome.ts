import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { MaintenanceService } from 'nestjs-maintenance';
import { ADMIN_TOKEN } from './admin-token.js';
import type { Settings } from './settings.js';

/** Returns the text that the terminal shows once the shop is running. */
export function formatWelcome(app: INestApplication, adapter: Settings['adapter']): string {
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  const url = `http://localhost:${port}`;
  return `
The shop is open: ${url}/ (${adapter})
Status page:      ${url}/status
State:            ${app.get(MaintenanceService).status().storage.location}
Admin token:      ${ADMIN_TOKEN}

In another terminal, turn maintenance on and off:

  npm run maintenance -- on --message "Back at four" --for 10m
  npm run maintenance -- off

in a browser, with the admin token as the token of its sign-in:

  ${url}/maintenance-mode/panel

or over HTTP:

  curl -X POST ${url}/maintenance-mode/on -H 'Authorization: Bearer ${ADMIN_TOKEN}' \\
    -H 'Content-Type: application/json' -d '{"message":"Back at four"}'
  curl -X POST ${url}/maintenance-mode/off -H 'Authorization: Bearer ${ADMIN_TOKEN}'
`;
}

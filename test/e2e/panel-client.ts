import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import type { InstanceReport, MaintenanceStatus } from 'nestjs-maintenance';
import type { Running } from './application.js';
import type { Call, Reply } from './client.js';

export const ADMIN_TOKEN = 'admin-token-of-the-panel';
export const VIEWER_TOKEN = 'viewer-token-of-the-panel';

/** The members of the panel's state that the tests read. */
export interface State {
  status: MaintenanceStatus;
  history: { revision: number; by?: string }[];
  access: string;
  operator: string;
  sessionEndsAt: string | null;
  callerAddress: string | null;
  fleet: { instances: InstanceReport[]; drain: { drained: boolean; pending: object[] } | null; error?: string };
  occurrences: Record<string, { startsAt: string }[]>;
}

export interface PanelClient {
  authorized: (token?: string) => Call;
  post: (path: string, body?: object, headers?: Record<string, string>) => Promise<Reply>;
  state: (headers?: Record<string, string>) => Promise<State>;
  signIn: (token: string, headers?: Record<string, string>, name?: string) => Promise<Reply>;
  /** Signs in, and returns the cookie as a browser would send it. */
  cookie: (token?: string, name?: string) => Promise<string>;
  /** Calls an endpoint with a cookie, as a page of the panel would. */
  withCookie: (cookie: string, path: string, method?: string) => Promise<Reply>;
}

/** Calls the panel of an application as an operator would. */
export function createPanelClient(
  { call, port }: Pick<Running, 'call' | 'port'>,
  path = '/maintenance-mode',
): PanelClient {
  const authorized = (token = ADMIN_TOKEN): Call => ({ headers: { authorization: `Bearer ${token}` } });
  const json = { 'content-type': 'application/json' };
  const signIn: PanelClient['signIn'] = (token, headers = {}, name) =>
    call(`${path}/session`, {
      method: 'POST',
      headers: { ...json, ...headers },
      body: JSON.stringify({ token, name }),
    });
  return {
    authorized,
    signIn,
    post: (name, body, headers = {}) =>
      call(`${path}/${name}`, {
        method: 'POST',
        headers: { ...authorized().headers, ...(body && json), ...headers },
        ...(body && { body: JSON.stringify(body) }),
      }),
    state: async (headers = {}) =>
      (await call(`${path}/panel/state`, { headers: { ...authorized().headers, ...headers } })).json<State>(),
    cookie: async (token = ADMIN_TOKEN, name) => getCookie(await signIn(token, {}, name)),
    withCookie: (cookie, name, method = 'GET') =>
      call(`${path}/${name}`, {
        method,
        headers: { cookie, origin: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}` },
      }),
  };
}

/** Returns the cookie that a reply has set, without its attributes. */
export function getCookie({ headers }: Reply): string {
  return headers['set-cookie']![0]!.split(';', 1)[0]!;
}

/** A stream of events that is open. */
export interface OpenStream {
  events: { event: string; data: unknown }[];
  isEnded: boolean;
  response: IncomingMessage;
  close: () => void;
}

/** Opens the events of the panel. */
export function openEvents(
  port: number,
  headers: Record<string, string>,
  path = '/maintenance-mode/panel/events',
): Promise<OpenStream> {
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest = httpRequest(
      { host: '127.0.0.1', port, path, headers, agent: false },
      (response) => {
        const stream: OpenStream = {
          events: [],
          isEnded: false,
          response,
          close: () => outgoing.destroy(),
        };
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          const blocks = text.split('\n\n');
          text = blocks.pop()!;
          for (const block of blocks) {
            const event = /^event: (.*)$/m.exec(block)?.[1];
            const data = /^data: (.*)$/m.exec(block)?.[1];
            if (event !== undefined) stream.events.push({ event, data: JSON.parse(data!) });
          }
        });
        response.on('close', () => (stream.isEnded = true));
        response.on('error', () => (stream.isEnded = true));
        resolve(stream);
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

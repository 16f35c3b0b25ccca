import type { Client } from './socket-library.js';

type WsClient = Client & {
  readyState: number;
  on(event: 'exception', listener: (result: object) => void): void;
  send(text: string): void;
};

const OPEN = 1;

/**
 * Nest 11 answers an exception by an event on the socket's object, which for `ws` stays in the process: the client would wait for
 * ever. Ours are sent on, unless a filter of the application's own has answered.
 */
export class LocalExceptions {
  readonly #clients = new WeakSet<Client>();
  readonly #results = new WeakSet();

  expect(client: Client, result: object): void {
    if (!isNative(client)) return;
    this.#results.add(result);
    if (this.#clients.has(client)) return;
    this.#clients.add(client);
    client.on('exception', (emitted) => {
      if (!this.#results.has(emitted) || client.readyState !== OPEN) return;
      client.send(JSON.stringify({ event: 'exception', data: emitted }));
    });
  }
}

// As Nest 12 tells them apart, where it does so by itself.
function isNative(client: Client): client is WsClient {
  return typeof (client as Partial<WsClient>).readyState === 'number';
}

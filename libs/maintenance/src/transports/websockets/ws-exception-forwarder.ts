import type { SocketClient } from './socket-library.interface.js';

type WsClient = SocketClient & {
  readyState: number;
  on(event: 'exception', listener: (result: object) => void): void;
  send(text: string): void;
};

const READY_STATE_OPEN = 1;

/**
 * Nest 11 answers an exception by an event on the socket's object, which for `ws` stays in the process: the client would wait for
 * ever. Ours are sent on, unless a filter of the application's own has answered.
 */
export class WsExceptionForwarder {
  readonly #clients = new WeakSet<SocketClient>();
  readonly #results = new WeakSet();

  forward(client: SocketClient, result: object): void {
    if (!isWsClient(client)) return;
    this.#results.add(result);
    if (this.#clients.has(client)) return;
    this.#clients.add(client);
    client.on('exception', (emitted) => {
      if (!this.#results.has(emitted) || client.readyState !== READY_STATE_OPEN) return;
      client.send(JSON.stringify({ event: 'exception', data: emitted }));
    });
  }
}

// As Nest 12 tells them apart, where it does so by itself.
function isWsClient(client: SocketClient): client is WsClient {
  return typeof (client as Partial<WsClient>).readyState === 'number';
}

import type { SocketClient } from './socket-library.interface.js';

type WsClient = SocketClient & {
  readyState: number;
  on(event: 'exception', listener: (result: object) => void): void;
  send(text: string): void;
};

const READY_STATE_OPEN = 1;

/**
 * Sends refusals to clients of `ws` on Nest 11.
 *
 * Nest 11 reports an exception as an event on the socket object. With `ws` the event stays in the process, so the
 * client would wait forever. Nothing is sent if a filter of the application has handled the exception.
 */
export class WsExceptionForwarder {
  readonly #clients = new WeakSet<SocketClient>();
  readonly #results = new WeakSet();

  /** Sends `result` to the client as soon as Nest reports it. */
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

// Nest 12, which sends exceptions to clients of `ws` itself, recognizes them in the same way.
function isWsClient(client: SocketClient): client is WsClient {
  return typeof (client as Partial<WsClient>).readyState === 'number';
}

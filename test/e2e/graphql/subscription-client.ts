import type { IncomingMessage } from 'node:http';
import WebSocket from 'ws';

/** Names of the subscription protocols in a handshake. */
export const CURRENT = 'graphql-transport-ws';
export const LEGACY = 'graphql-ws';

export interface Message {
  id?: string;
  type: string;
  payload?: unknown;
}

/** A client that sends and records the messages of one of the protocols. */
export class SubscriptionClient {
  readonly messages: Message[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(
    private readonly socket: WebSocket,
    private readonly protocol: string,
  ) {
    socket.on('message', (data: Buffer) => {
      this.#record(JSON.parse(String(data)) as Message);
    });
    socket.on('close', (code: number) => {
      this.#record({ type: 'closed', payload: code });
    });
  }

  static async open(port: number, protocol: string, headers: Record<string, string> = {}): Promise<SubscriptionClient> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, protocol, { headers });
    const client = new SubscriptionClient(socket, protocol);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    socket.on('error', () => undefined);
    client.send({ type: 'connection_init', payload: {} });
    await client.until(({ type }) => type === 'connection_ack');
    return client;
  }

  start(id: string, query: string): void {
    this.send({ id, type: this.protocol === CURRENT ? 'subscribe' : 'start', payload: { query } });
  }

  send(message: Message): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Waits for the first message that matches and returns it. */
  async until(matches: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = this.messages.find(matches);
      if (found) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Waits for the message that ends an operation: an error or `complete`. */
  waitForEnd(id: string): Promise<Message> {
    return this.until((message) => message.id === id && ['error', 'complete'].includes(message.type));
  }

  /** Waits for further events of an operation. */
  async waitForEvents(id: string, count = 2): Promise<void> {
    const isEvent = (message: Message): boolean => message.id === id && ['next', 'data'].includes(message.type);
    const wanted = this.messages.filter(isEvent).length + count;
    await this.until(() => this.messages.filter(isEvent).length >= wanted);
  }

  close(): void {
    this.socket.terminate();
  }

  #record(message: Message): void {
    this.messages.push(message);
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** Returns status and headers of the response to a handshake, including the subprotocol. */
export function sendHandshake(
  port: number,
  protocols: string[],
  path = '/graphql',
): Promise<Pick<IncomingMessage, 'statusCode' | 'headers'> | { failed: string }> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers: { 'sec-test': '1' } });
    const answer = ({ statusCode, headers }: IncomingMessage): void => {
      const { 'sec-websocket-accept': _accept, date: _date, ...rest } = headers;
      resolve({ statusCode, headers: rest });
    };
    socket.on('upgrade', (response) => {
      answer(response);
      socket.terminate();
    });
    socket.on('unexpected-response', (_request, response) => {
      response.resume();
      answer(response);
    });
    // The server sends no response or closes the connection.
    socket.on('error', ({ message }) => resolve({ failed: message }));
  });
}

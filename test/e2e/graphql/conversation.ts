import type { IncomingMessage } from 'node:http';
import WebSocket from 'ws';

/** The protocols of subscriptions by the names that a handshake gives them. */
export const CURRENT = 'graphql-transport-ws';
export const LEGACY = 'graphql-ws';

export interface Message {
  id?: string;
  type: string;
  payload?: unknown;
}

/** A connection on which a client speaks one of the protocols, message by message. */
export class Conversation {
  readonly messages: Message[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(
    private readonly socket: WebSocket,
    private readonly protocol: string,
  ) {
    socket.on('message', (data: Buffer) => {
      this.#hear(JSON.parse(String(data)) as Message);
    });
    socket.on('close', (code: number) => {
      this.#hear({ type: 'closed', payload: code });
    });
  }

  static async open(port: number, protocol: string, headers: Record<string, string> = {}): Promise<Conversation> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, protocol, { headers });
    const conversation = new Conversation(socket, protocol);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    socket.on('error', () => undefined);
    conversation.send({ type: 'connection_init', payload: {} });
    await conversation.until(({ type }) => type === 'connection_ack');
    return conversation;
  }

  start(id: string, query: string): void {
    this.send({ id, type: this.protocol === CURRENT ? 'subscribe' : 'start', payload: { query } });
  }

  send(message: Message): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The first message for which this holds, once it has come. */
  async until(holds: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = this.messages.find(holds);
      if (found) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** What ended an operation: its error, or that it is complete. */
  end(id: string): Promise<Message> {
    return this.until((message) => message.id === id && ['error', 'complete'].includes(message.type));
  }

  /** Waits for further events of an operation. */
  async more(id: string, count = 2): Promise<void> {
    const isEvent = (message: Message): boolean => message.id === id && ['next', 'data'].includes(message.type);
    const wanted = this.messages.filter(isEvent).length + count;
    await this.until(() => this.messages.filter(isEvent).length >= wanted);
  }

  close(): void {
    this.socket.terminate();
  }

  #hear(message: Message): void {
    this.messages.push(message);
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** How a server answers a handshake: the status and headers of its response, with the subprotocol. */
export function handshake(
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
    // A server that answers nothing, or that closes at once.
    socket.on('error', ({ message }) => resolve({ failed: message }));
  });
}

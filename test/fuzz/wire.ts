import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** The response to one request, as the server sent it. */
export interface Answer {
  status: number;
  /** By their names in lower case; values of one name are joined by commas. */
  headers: Record<string, string>;
  text: string;
}

/** Milliseconds after which a server that says nothing is stuck. */
const STUCK = 20_000;

/** A client that sends any bytes, valid or not, over one connection until the server closes it. */
export class Wire {
  #socket: Socket | null = null;

  constructor(private readonly port: number) {}

  /** @param isHead - whether the answer has no body, whatever its headers say */
  async send(bytes: string | Buffer, isHead = false): Promise<Answer> {
    const socket = (this.#socket ??= await this.#open());
    const reader = new AnswerReader(isHead);
    const answer = await exchange(socket, reader, () => socket.write(bytes, 'latin1'));
    // After a malformed request, Node and Fastify end the connection without `Connection: close`.
    const isOver =
      answer === null || [400, 408, 431].includes(answer.status) || /close/i.test(answer.headers.connection ?? '');
    const isKept = reader.isWhole && reader.rest === 0 && !isOver;
    if (!isKept) this.close();
    if (answer === null) throw new Error('the server closed the connection without an answer');
    return answer;
  }

  /** Sends over a connection of its own, and then nothing more. `null`: the server closed without an answer. */
  async sendAndEnd(bytes: string | Buffer): Promise<Answer | null> {
    const socket = await this.#open();
    try {
      return await exchange(socket, new AnswerReader(false), () => socket.end(bytes, 'latin1'));
    } finally {
      socket.destroy();
    }
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  async #open(): Promise<Socket> {
    const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    await once(socket, 'connect');
    // A server that closes early resets what is still on its way.
    socket.on('error', () => undefined);
    return socket;
  }
}

/** Formats a request with these headers; characters up to U+00FF are sent as single bytes. */
export function formatRequest(method: string, target: string, headers: readonly string[], body = ''): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: 127.0.0.1', ...headers, '', body].join('\r\n');
}

function exchange(socket: Socket, reader: AnswerReader, send: () => void): Promise<Answer | null> {
  return new Promise((resolve, reject) => {
    const stuck = setTimeout(() => done(() => reject(new Error('the server does not answer'))), STUCK);
    const hear = (data: Buffer): void => {
      if (reader.take(data)) done(() => resolve(reader.answer));
    };
    const ended = (): void => done(() => resolve(reader.answer));
    const done = (settle: () => void): void => {
      clearTimeout(stuck);
      socket.off('data', hear).off('end', ended).off('close', ended);
      settle();
    };
    socket.on('data', hear).on('end', ended).on('close', ended);
    send();
  });
}

/** Reads one answer of HTTP/1.1 (RFC 9112, section 6). */
class AnswerReader {
  answer: Answer | null = null;
  isWhole = false;
  /** Bytes behind the answer. */
  rest = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #bodyStart = 0;

  constructor(private readonly isHead: boolean) {}

  /** @returns whether the answer is whole */
  take(data: Buffer): boolean {
    this.#bytes = this.#bytes.length === 0 ? data : Buffer.concat([this.#bytes, data]);
    if (!this.answer && !this.#takeHead()) return false;
    const { status, headers } = this.answer!;
    const body = this.#bytes.subarray(this.#bodyStart);
    if (this.isHead || status === 204 || status === 304) return this.#finish('', body.length);
    if (headers['transfer-encoding'] !== undefined) return this.#takeChunks(body.toString('latin1'));
    const length = headers['content-length'];
    // Without a length, the end of the connection is the end of the body.
    this.answer!.text = body.toString();
    if (length === undefined || body.length < Number(length)) return false;
    return this.#finish(body.subarray(0, Number(length)).toString(), body.length - Number(length));
  }

  #takeHead(): boolean {
    const end = this.#bytes.indexOf('\r\n\r\n');
    if (end === -1) return false;
    const [first = '', ...lines] = this.#bytes.toString('latin1', 0, end).split('\r\n');
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
    }
    this.#bodyStart = end + 4;
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]);
    if (status < 200) {
      this.#bytes = this.#bytes.subarray(this.#bodyStart);
      return this.#takeHead();
    }
    this.answer = { status, headers, text: '' };
    return true;
  }

  #takeChunks(body: string): boolean {
    let text = '';
    for (let at = 0; ;) {
      const end = body.indexOf('\r\n', at);
      if (end === -1) return false;
      const size = parseInt(body.slice(at, end), 16);
      at = end + 2 + size + 2;
      if (body.length < at) return false;
      if (size === 0) return this.#finish(Buffer.from(text, 'latin1').toString(), body.length - at);
      text += body.slice(end + 2, end + 2 + size);
    }
  }

  #finish(text: string, rest: number): boolean {
    this.answer!.text = text;
    this.rest = rest;
    return (this.isWhole = true);
  }
}

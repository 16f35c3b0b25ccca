/** Matches a response that accepts the upgrade. */
const SWITCHING_PROTOCOLS_PATTERN = /^HTTP\/1\.1 101[ \r]/;
const END_OF_HEAD = '\r\n\r\n';
/** The length in characters from which the head of a response is not parsed as an answer to a handshake. */
const MAX_HEAD_LENGTH = 65_536;

const OPCODE_MASK = 0x0f;
const OPCODE_CLOSE = 0x8;
const MASK_BIT = 0x80;

/**
 * Tracks what a server writes to a WebSocket, to know where a frame ends and the next one may start (RFC 6455, section
 * 5.2): a frame within another one would become part of its message.
 */
export class WebSocketFrames {
  /** The head of the response to the handshake so far; `null` once it is complete. */
  #head: string | null = '';
  #isSwitched = false;
  /** The bytes of a frame's header that have been written. */
  readonly #header: number[] = [];
  /** How many bytes of a frame's payload are still to come. */
  #payloadBytesLeft = 0;
  #isClosing = false;

  /** Whether the server has written anything. */
  get hasAnswer(): boolean {
    return this.#head !== '';
  }

  /** Whether the connection speaks WebSocket, and the server has not begun to close it. */
  get isOpen(): boolean {
    return this.#isSwitched && !this.#isClosing;
  }

  /** Whether a new frame may start. */
  get isBetweenFrames(): boolean {
    return this.#head === null && this.#header.length === 0 && this.#payloadBytesLeft === 0;
  }

  /**
   * Tracks bytes that are written.
   *
   * @param toBoundary - whether to stop where a frame ends
   * @returns how many of the bytes were tracked
   */
  track(bytes: Uint8Array, toBoundary = false): number {
    let at = this.#head === null ? 0 : this.#trackHead(bytes);
    while (at < bytes.length && !this.#isClosing) {
      if (this.#payloadBytesLeft > 0) {
        const taken = Math.min(this.#payloadBytesLeft, bytes.length - at);
        this.#payloadBytesLeft -= taken;
        at += taken;
      } else this.#trackHeaderByte(bytes[at++]!);
      if (toBoundary && this.isBetweenFrames) return at;
    }
    return bytes.length;
  }

  #trackHead(bytes: Uint8Array): number {
    const before = this.#head!;
    const head = before + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    const end = head.indexOf(END_OF_HEAD);
    this.#isSwitched = SWITCHING_PROTOCOLS_PATTERN.test(head);
    if (end === -1 && head.length < MAX_HEAD_LENGTH) {
      this.#head = head;
      return bytes.length;
    }
    this.#head = null;
    // After another response, or none, no frames follow.
    if (end === -1) this.#isSwitched = false;
    if (!this.#isSwitched) this.#isClosing = true;
    return end + END_OF_HEAD.length - before.length;
  }

  #trackHeaderByte(byte: number): void {
    const header = this.#header;
    header.push(byte);
    if (header.length < 2) return;
    const mark = header[1]! & ~MASK_BIT;
    const lengthSize = mark === 126 ? 2 : mark === 127 ? 8 : 0;
    if (header.length < 2 + lengthSize + (header[1]! & MASK_BIT ? 4 : 0)) return;
    this.#payloadBytesLeft =
      lengthSize === 0 ? mark : header.slice(2, 2 + lengthSize).reduce((sum, each) => sum * 256 + each, 0);
    this.#isClosing = (header[0]! & OPCODE_MASK) === OPCODE_CLOSE;
    header.length = 0;
  }
}

/**
 * Creates a close frame of a server, which is not masked.
 *
 * @param reason - at most 123 bytes
 */
export function createCloseFrame(code: number, reason: string): Buffer {
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
  return Buffer.concat([Buffer.from([0x80 | OPCODE_CLOSE, payload.length]), payload]);
}

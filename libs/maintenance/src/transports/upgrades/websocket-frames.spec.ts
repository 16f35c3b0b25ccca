import { createCloseFrame, WebSocketFrames } from './websocket-frames.js';

const HEAD = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');

function frame(opcode: number, length: number): Buffer {
  if (length < 126) return Buffer.concat([Buffer.from([0x80 | opcode, length]), Buffer.alloc(length, 0x88)]);
  const header = Buffer.alloc(length < 65_536 ? 4 : 10);
  header[0] = 0x80 | opcode;
  header[1] = length < 65_536 ? 126 : 127;
  if (length < 65_536) header.writeUInt16BE(length, 2);
  else header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, Buffer.alloc(length, 0x88)]);
}

const FRAMES = [0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000].map((length) => frame(length % 2 ? 1 : 2, length));

it.each([1, 2, 3, 7, 100, 4_096, 1_000_000])('finds the ends of frames split into chunks of %i bytes', (size) => {
  const all = Buffer.concat([HEAD, ...FRAMES]);
  const ends = new Set<number>();
  FRAMES.reduce((at, each) => (ends.add(at), at + each.length), HEAD.length);
  ends.add(all.length);
  const frames = new WebSocketFrames();
  const wrong: number[] = [];
  for (let at = 0; at < all.length; at += size) {
    frames.track(all.subarray(at, at + size));
    const written = Math.min(at + size, all.length);
    if (frames.isBetweenFrames !== ends.has(written)) wrong.push(written);
  }
  expect(wrong).toEqual([]);
  expect(frames.isOpen).toBe(true);
});

it('stops at the end of a frame on request', () => {
  const frames = new WebSocketFrames();
  frames.track(Buffer.concat([HEAD, FRAMES[5]!.subarray(0, 10)]));
  const rest = Buffer.concat([FRAMES[5]!.subarray(10), FRAMES[6]!]);
  expect(frames.track(rest, true)).toBe(FRAMES[5]!.length - 10);
  expect(frames.isBetweenFrames).toBe(true);
});

it('skips the mask of a server frame, which RFC 6455 forbids', () => {
  const frames = new WebSocketFrames();
  frames.track(Buffer.concat([HEAD, Buffer.from([0x81, 0x80 | 2, 1, 2, 3, 4, 0x88])]));
  expect(frames.isBetweenFrames).toBe(false);
  frames.track(Buffer.from([0x88]));
  expect(frames.isBetweenFrames).toBe(true);
});

it('is not open before the handshake, after a refusal and after a close frame of the server', () => {
  const frames = new WebSocketFrames();
  expect(frames.hasAnswer).toBe(false);
  frames.track(HEAD.subarray(0, 20));
  expect([frames.hasAnswer, frames.isBetweenFrames]).toEqual([true, false]);
  frames.track(HEAD.subarray(20));
  expect(frames.isOpen).toBe(true);
  frames.track(createCloseFrame(1000, 'bye'));
  expect(frames.isOpen).toBe(false);

  const refused = new WebSocketFrames();
  refused.track(Buffer.from('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno'));
  expect(refused.isOpen).toBe(false);

  const nonsense = new WebSocketFrames();
  nonsense.track(Buffer.alloc(70_000, 'HTTP/1.1 101 '));
  expect(nonsense.isOpen).toBe(false);
});

import { PassThrough } from 'node:stream';
import { Progress } from './progress.js';

function createStream(more: Partial<NodeJS.WriteStream> = {}): { stream: NodeJS.WriteStream; text: () => string } {
  const stream = Object.assign(new PassThrough(), more) as unknown as NodeJS.WriteStream;
  return { stream, text: () => String((stream as unknown as PassThrough).read() ?? '') };
}

describe('Progress', () => {
  it('rewrites one line of a terminal within its width and removes it at the end', () => {
    const { stream, text } = createStream({ isTTY: true, columns: 20 });
    const progress = new Progress(stream);
    progress.show('one', 'a');
    progress.show('one again', 'a');
    progress.show('a line that is too long', 'b');
    progress.end();
    progress.end();
    expect(text()).toBe('\r\x1b[2Kone\r\x1b[2Kone again\r\x1b[2Ka line that is t...\r\x1b[2K');
  });

  it('writes one plain line per change without a terminal', () => {
    jest.useFakeTimers();
    const { stream, text } = createStream();
    const progress = new Progress(stream);
    progress.show('0 s: one', 'one');
    jest.advanceTimersByTime(1_500);
    progress.show('1 s: one', 'one');
    progress.show('1 s: two', 'two');
    progress.show('1 s: three', 'three');
    jest.advanceTimersByTime(10_000);
    progress.show('11 s: three', 'three');
    jest.advanceTimersByTime(10_000);
    progress.show('21 s: three', 'three');
    progress.end();
    jest.useRealTimers();
    expect(text()).toBe('0 s: one\n1 s: two\n11 s: three\n21 s: three\n');
  });

  it('escapes control characters', () => {
    const { stream, text } = createStream({ isTTY: true, columns: 80 });
    new Progress(stream).show('GET /\x1b]0;x\x07', '');
    expect(text()).toBe('\r\x1b[2KGET /\\u001b]0;x\\u0007');
  });
});

/** Events that somebody else can end. */
export interface AbortableIterator {
  /** A generator in the eyes of whoever asks for its methods, so that it is closed with its reader's connection. */
  events: AsyncGenerator<unknown>;
  /** Lets the reader's next step fail with the error, also one that waits for an event already. */
  abort(error: Error): void;
}

/** @param closed - called once the events are over, for whatever reason */
export function createAbortableIterator(iterable: AsyncIterable<unknown>, closed: () => void): AbortableIterator {
  const source = iterable[Symbol.asyncIterator]();
  let ended: Error | null = null;
  // Of the step that is being waited for. A race against one promise for all steps would keep each of them in memory.
  let fail: (error: Error) => void = () => undefined;
  const next = async (): Promise<IteratorResult<unknown>> => {
    try {
      if (ended) throw ended;
      const step = await new Promise<IteratorResult<unknown>>((resolve, reject) => {
        fail = reject;
        source.next().then(resolve, reject);
      });
      if (step.done) closed();
      return step;
    } catch (error) {
      closed();
      throw error;
    }
  };
  const close = async (value: unknown): Promise<IteratorResult<unknown>> => {
    closed();
    return (await source.return?.(value)) ?? { done: true, value };
  };
  return {
    events: createGenerator(next, close),
    abort: (error) => {
      ended = error;
      fail(error);
      // A source that is waiting for its next event may close only with that.
      void close(undefined).catch(() => undefined);
    },
  };
}

/** Events that end with an error before the first. */
export function createFailedIterator(error: Error): AsyncGenerator<unknown> {
  return createGenerator(
    () => Promise.reject(error),
    async (value) => ({ done: true, value }),
  );
}

function createGenerator(
  next: () => Promise<IteratorResult<unknown>>,
  close: (value: unknown) => Promise<IteratorResult<unknown>>,
): AsyncGenerator<unknown> {
  const generator = {
    next,
    return: close,
    throw: async (error: unknown): Promise<never> => {
      await close(undefined);
      throw error;
    },
    [Symbol.asyncIterator]: () => generator,
    [Symbol.toStringTag]: 'AsyncGenerator',
  } as unknown as AsyncGenerator<unknown>;
  return generator;
}

/** An iterator of events that can be ended from outside. */
export interface AbortableIterator {
  /** Has the methods of a generator, so that graphql-ws closes it with the connection of its client. */
  events: AsyncGenerator<unknown>;
  /** Makes the next step fail with the error, also one that waits for an event already. */
  abort(error: Error): void;
}

/**
 * Creates an abortable iterator over the events of another one.
 *
 * @param onClosed - called once the events have ended, for any reason
 */
export function createAbortableIterator(iterable: AsyncIterable<unknown>, onClosed: () => void): AbortableIterator {
  const source = iterable[Symbol.asyncIterator]();
  let ended: Error | null = null;
  // Rejects the pending step. A race against one promise for all steps would keep each step in memory.
  let fail: (error: Error) => void = () => undefined;
  const next = async (): Promise<IteratorResult<unknown>> => {
    try {
      if (ended) throw ended;
      const step = await new Promise<IteratorResult<unknown>>((resolve, reject) => {
        fail = reject;
        source.next().then(resolve, reject);
      });
      if (step.done) onClosed();
      return step;
    } catch (error) {
      onClosed();
      throw error;
    }
  };
  const close = async (value: unknown): Promise<IteratorResult<unknown>> => {
    onClosed();
    return (await source.return?.(value)) ?? { done: true, value };
  };
  return {
    events: createGenerator(next, close),
    abort: (error) => {
      ended = error;
      fail(error);
      // A source that waits for its next event may close only after that.
      void close(undefined).catch(() => undefined);
    },
  };
}

/** Creates an iterator that fails before the first event. */
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

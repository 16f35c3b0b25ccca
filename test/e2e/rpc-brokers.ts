import { KafkaContext, RmqContext, Server, Transport, type CustomTransportStrategy } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';

// Fakes of two brokers that a test cannot start. They behave like the servers of Nest and the client libraries below.

interface Message {
  properties: { replyTo?: string };
  pattern: string;
  data: unknown;
}

/** A RabbitMQ queue with one consumer: redelivers requeued messages and records an error if one is settled twice. */
export class RabbitServer extends Server implements CustomTransportStrategy {
  override readonly transportId = Transport.RMQ;
  readonly settled: string[] = [];
  readonly #unsettled = new Set<Message>();

  constructor(readonly noAck: boolean) {
    super();
  }

  /** Number of messages that were delivered but not acknowledged. */
  get unsettled(): number {
    return this.#unsettled.size;
  }

  readonly channel = {
    ack: (message: Message): void => this.#settle('ack', message),
    nack: (message: Message, _allUpTo: boolean, requeue: boolean): void => {
      this.#settle(requeue ? 'requeue' : 'reject', message);
      if (requeue) setImmediate(() => void this.#deliver(message));
    },
  };

  emit(pattern: string, data: unknown): void {
    void this.#deliver({ pattern, data, properties: {} });
  }

  request(pattern: string, data: unknown): Promise<unknown> {
    return this.#deliver({ pattern, data, properties: { replyTo: 'me' } });
  }

  async handleMessage(message: Message, channel: object): Promise<unknown> {
    const context = new RmqContext([message as never, channel, message.pattern]);
    if (message.properties.replyTo === undefined) {
      return this.handleEvent(message.pattern, { pattern: message.pattern, data: message.data }, context);
    }
    const answer = (await this.getHandlerByPattern(message.pattern)?.(message.data, context)) as unknown;
    return isObservable(answer) ? lastValueFrom(answer) : answer;
  }

  listen(callback: () => void): void {
    callback();
  }

  close(): void {}
  on(): void {}
  unwrap<T>(): T {
    return this.channel as T;
  }

  #deliver(message: Message): Promise<unknown> {
    if (!this.noAck) this.#unsettled.add(message);
    return this.handleMessage(message, this.channel);
  }

  #settle(how: string, message: Message): void {
    const isKnown = this.#unsettled.delete(message);
    this.settled.push(isKnown ? `${how} ${message.pattern}` : `PRECONDITION_FAILED - unknown delivery tag`);
  }
}

/** A Kafka consumer with one partition per topic: redelivers a failed message unless the topic is paused. */
export class KafkaServer extends Server implements CustomTransportStrategy {
  override readonly transportId = Transport.KAFKA;
  readonly committed: string[] = [];
  readonly thrown: unknown[] = [];
  readonly #topics = new Map<string, unknown[]>();
  readonly #paused = new Set<string>();

  readonly consumer = {
    pause: (topics: { topic: string }[]): void => topics.forEach(({ topic }) => this.#paused.add(topic)),
    resume: (topics: { topic: string }[]): void =>
      topics.forEach(({ topic }) => {
        this.#paused.delete(topic);
        void this.#consume(topic);
      }),
  };

  get paused(): string[] {
    return [...this.#paused];
  }

  /** Forgets which topics are paused, as a restarted client does. */
  restart(): void {
    const topics = [...this.#paused];
    this.#paused.clear();
    for (const topic of topics) void this.#consume(topic);
  }

  emit(topic: string, data: unknown): void {
    const waiting = this.#topics.get(topic) ?? [];
    this.#topics.set(topic, waiting);
    if (waiting.push(data) === 1) void this.#consume(topic);
  }

  override async handleEvent(pattern: string, packet: { data: unknown }, context: KafkaContext): Promise<void> {
    const result = (await this.getHandlerByPattern(pattern)?.(packet.data, context)) as unknown;
    if (isObservable(result)) await lastValueFrom(result);
  }

  listen(callback: () => void): void {
    callback();
  }

  close(): void {}
  on(): void {}
  unwrap<T>(): T {
    return this.consumer as T;
  }

  async #consume(topic: string): Promise<void> {
    const waiting = this.#topics.get(topic) ?? [];
    while (waiting.length > 0 && !this.#paused.has(topic)) {
      const [data] = waiting;
      const message = { value: data, headers: {} };
      const context = new KafkaContext([message, 0, topic, this.consumer, null, null] as never);
      try {
        await this.handleEvent(topic, { data }, context);
        waiting.shift();
        this.committed.push(`${topic} ${JSON.stringify(data)}`);
      } catch (error) {
        this.thrown.push(error);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }
}

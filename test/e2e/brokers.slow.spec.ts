import { Controller, Inject, type ExecutionContext, type Type } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, RmqContext } from '@nestjs/microservices';
import { MaintenanceScope, SkipMaintenance, type MaintenanceModuleOptions } from 'nestjs-maintenance';
import { ManualClock } from 'nestjs-maintenance/testing';
import { eventually, KINDS, startRpc, type Kind, type RpcRunning } from './rpc-application.js';
import { KafkaServer, RabbitServer } from './rpc-brokers.js';
import { Journal } from './rpc-handlers.js';

type Events = NonNullable<MaintenanceModuleOptions['microservices']>['events'];

@Controller()
class Handlers {
  constructor(@Inject(Journal) private readonly journal: Journal) {}

  @EventPattern('sold')
  sold(@Payload() item: string, @Ctx() context: unknown): void {
    this.#done('sold', item, context);
  }

  @MaintenanceScope('payments')
  @EventPattern('paid')
  paid(@Payload() item: string, @Ctx() context: unknown): void {
    this.#done('paid', item, context);
  }

  @SkipMaintenance()
  @EventPattern('audited')
  audited(@Payload() item: string, @Ctx() context: unknown): void {
    this.#done('audited', item, context);
  }

  @MessagePattern('buy')
  buy(@Payload() item: string, @Ctx() context: unknown): string {
    this.#done('buy', item, context);
    return 'bought';
  }

  #done(name: string, item: string, context: unknown): void {
    this.journal.push(`${name} ${item}`);
    if (context instanceof RmqContext) {
      (context.getChannelRef() as RabbitServer['channel']).ack(context.getMessage() as never);
    }
  }
}

/** A second handler of the same event. */
@Controller()
class MoreHandlers {
  @EventPattern('sold')
  sold(@Payload() _item: string): void {}
}

async function startWithBroker(
  kind: Kind,
  strategy: RabbitServer | KafkaServer,
  options: MaintenanceModuleOptions = {},
  controllers: Type[] = [Handlers],
  clock?: ManualClock,
): Promise<RpcRunning> {
  return startRpc(kind, { strategy }, { controllers, options, ...(clock && { clock }) });
}

/** Waits until all pending callbacks have run. */
async function waitUntilSettled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe.each(KINDS)('events of RabbitMQ (%s)', (kind) => {
  let rabbit: RabbitServer;
  let app: RpcRunning;
  const startWith = async (events: Events, noAck = false, controllers?: Type[], clock?: ManualClock): Promise<void> => {
    rabbit = new RabbitServer(noAck);
    app = await startWithBroker(kind, rabbit, { microservices: { events } }, controllers, clock);
  };
  afterEach(() => app.close());

  it('are kept while refused and requeued when the window ends', async () => {
    await startWith('redeliver');
    await app.maintenance.enable();
    for (const item of ['a', 'b']) rabbit.emit('sold', item);
    rabbit.emit('audited', 'c');
    await waitUntilSettled();
    expect(app.journal).toEqual(['audited c']);
    expect(rabbit.settled).toEqual(['ack audited']);
    expect(rabbit.unsettled).toBe(2);
    await app.maintenance.disable();
    await waitUntilSettled();
    expect(rabbit.settled.slice(1)).toEqual(['requeue sold', 'requeue sold', 'ack sold', 'ack sold']);
    expect(app.journal).toEqual(['audited c', 'sold a', 'sold b']);
    expect(rabbit.unsettled).toBe(0);
    expect(app.complaints).toEqual([]);
  });

  it('are kept as long as another window covers them', async () => {
    await startWith('redeliver');
    await app.maintenance.enable({ scope: 'payments' });
    await app.maintenance.enable();
    rabbit.emit('sold', 'a');
    rabbit.emit('paid', 'b');
    await waitUntilSettled();
    await app.maintenance.disable({ scope: '*' });
    await waitUntilSettled();
    expect(app.journal).toEqual(['sold a']);
    expect(rabbit.unsettled).toBe(1);
    await app.maintenance.disable();
    await waitUntilSettled();
    expect(app.journal).toEqual(['sold a', 'paid b']);
  });

  it('are requeued at the end time of a window', async () => {
    const clock = new ManualClock(Date.now());
    await startWith('redeliver', false, undefined, clock);
    const endsAt = clock.now() + 60_000;
    await app.maintenance.enable({ endsAt: new Date(endsAt) });
    rabbit.emit('sold', 'a');
    await waitUntilSettled();
    expect(rabbit.unsettled).toBe(1);
    await clock.moveTo(endsAt);
    await waitUntilSettled();
    expect(app.journal).toEqual(['sold a']);
  });

  it('are settled once if two handlers refuse them', async () => {
    await startWith('redeliver', false, [Handlers, MoreHandlers]);
    await app.maintenance.enable();
    rabbit.emit('sold', 'a');
    await waitUntilSettled();
    await app.maintenance.disable();
    await waitUntilSettled();
    expect(rabbit.settled).toEqual(['requeue sold', 'ack sold']);
  });

  it('are kept although a refused request to the same handler is acknowledged', async () => {
    await startWith('redeliver');
    await app.maintenance.enable();
    await expect(rabbit.request('buy', 'a')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    rabbit.emit('buy', 'b');
    await waitUntilSettled();
    expect(rabbit.settled).toEqual(['ack buy']);
    expect(rabbit.unsettled).toBe(1);
  });

  it.each([
    ['drop', 'drop', ['ack sold'], 0],
    ['a function that leaves the message unsettled', (): void => undefined, [], 1],
  ] as [string, Events, string[], number][])(
    'are settled according to the option `events`: %s',
    async (_name, events, expected, unsettled) => {
      await startWith(events);
      await app.maintenance.enable();
      rabbit.emit('sold', 'a');
      await waitUntilSettled();
      expect(app.journal).toEqual([]);
      expect(rabbit.settled).toEqual(expected);
      expect(rabbit.unsettled).toBe(unsettled);
      expect(app.complaints).toEqual([]);
    },
  );

  it.each(['redeliver', 'drop'] as const)('are not settled with noAck: true and `events`: %s', async (events) => {
    await startWith(events, true);
    await app.maintenance.enable();
    rabbit.emit('sold', 'a');
    await rabbit.request('buy', 'b').catch(() => undefined);
    await waitUntilSettled();
    await app.maintenance.disable();
    await waitUntilSettled();
    expect(rabbit.settled).toEqual([]);
    expect(app.complaints).toEqual(
      events === 'redeliver' ? [expect.stringMatching(/RabbitServer.*lost.*`noAck: false`/)] : [],
    );
  });
});

describe.each(KINDS)('events of Kafka (%s)', (kind) => {
  let kafka: KafkaServer;
  let app: RpcRunning;
  const startWith = async (events: Events): Promise<void> => {
    kafka = new KafkaServer();
    app = await startWithBroker(kind, kafka, { microservices: { events } });
  };
  afterEach(() => app.close());

  it('pause the topic uncommitted until the window ends', async () => {
    await startWith('redeliver');
    await app.maintenance.enable();
    for (const item of ['a', 'b']) kafka.emit('sold', item);
    kafka.emit('audited', 'c');
    await waitUntilSettled();
    expect(kafka.paused).toEqual(['sold']);
    expect(kafka.committed).toEqual(['audited "c"']);
    expect(kafka.thrown).toHaveLength(1);
    await app.maintenance.disable();
    await waitUntilSettled();
    expect(kafka.committed).toEqual(['audited "c"', 'sold "a"', 'sold "b"']);
    expect(app.journal).toEqual(['audited c', 'sold a', 'sold b']);
    expect(kafka.paused).toEqual([]);
    expect(app.complaints).toEqual([]);
  });

  it('pause all topics again after a restart of the consumer', async () => {
    await startWith('redeliver');
    await app.maintenance.enable();
    kafka.emit('sold', 'a');
    kafka.emit('paid', 'b');
    await waitUntilSettled();
    expect(kafka.paused).toEqual(['sold', 'paid']);
    kafka.restart();
    await waitUntilSettled();
    expect(kafka.paused.sort()).toEqual(['paid', 'sold']);
    expect(kafka.committed).toEqual([]);
  });

  it.each([
    ['drop', 'drop'],
    ['a function that returns', (): void => undefined],
  ] as [string, Events][])('are committed when refused with %s', async (_name, events) => {
    await startWith(events);
    await app.maintenance.enable();
    kafka.emit('sold', 'a');
    await waitUntilSettled();
    expect(app.journal).toEqual([]);
    expect(kafka.committed).toEqual(['sold "a"']);
    expect(kafka.paused).toEqual([]);
    expect(app.complaints).toEqual([]);
  });

  it('are not committed if the function in `events` throws', async () => {
    let isFull = true;
    await startWith((_context: ExecutionContext) => {
      if (isFull) throw new Error('the shelf is full');
    });
    await app.maintenance.enable();
    kafka.emit('sold', 'a');
    await waitUntilSettled();
    expect(kafka.committed).toEqual([]);
    isFull = false;
    await app.maintenance.disable();
    await eventually(() => expect(kafka.committed).toEqual(['sold "a"']));
  });
});

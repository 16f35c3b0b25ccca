import { Controller, Inject, type ExecutionContext, type Type } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, RmqContext } from '@nestjs/microservices';
import { MaintenanceScope, SkipMaintenance, type MaintenanceModuleOptions } from 'nestjs-maintenance';
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

/** A second handler of an event of the same name. */
@Controller()
class MoreHandlers {
  @EventPattern('sold')
  sold(@Payload() _item: string): void {}
}

async function running(
  kind: Kind,
  strategy: RabbitServer | KafkaServer,
  options: MaintenanceModuleOptions = {},
  controllers: Type[] = [Handlers],
): Promise<RpcRunning> {
  return startRpc(kind, { strategy }, { controllers, options });
}

/** Lets everything run that is ready to. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe.each(KINDS)('RabbitMQ, %s', (kind) => {
  let rabbit: RabbitServer;
  let app: RpcRunning;
  const open = async (events: Events, noAck = false, controllers?: Type[]): Promise<void> => {
    rabbit = new RabbitServer(noAck);
    app = await running(kind, rabbit, { microservices: { events } }, controllers);
  };
  afterEach(() => app.close());

  it('keeps refused events and requeues them when the window is over', async () => {
    await open('redeliver');
    await app.maintenance.enable();
    for (const item of ['a', 'b']) rabbit.emit('sold', item);
    rabbit.emit('audited', 'c');
    await settled();
    expect(app.journal).toEqual(['audited c']);
    expect(rabbit.settled).toEqual(['ack audited']);
    expect(rabbit.unsettled).toBe(2);
    await app.maintenance.disable();
    await settled();
    expect(rabbit.settled.slice(1)).toEqual(['requeue sold', 'requeue sold', 'ack sold', 'ack sold']);
    expect(app.journal).toEqual(['audited c', 'sold a', 'sold b']);
    expect(rabbit.unsettled).toBe(0);
    expect(app.complaints).toEqual([]);
  });

  it('keeps what another window still refuses', async () => {
    await open('redeliver');
    await app.maintenance.enable({ scope: 'payments' });
    await app.maintenance.enable();
    rabbit.emit('sold', 'a');
    rabbit.emit('paid', 'b');
    await settled();
    await app.maintenance.disable({ scope: '*' });
    await settled();
    expect(app.journal).toEqual(['sold a']);
    expect(rabbit.unsettled).toBe(1);
    await app.maintenance.disable();
    await settled();
    expect(app.journal).toEqual(['sold a', 'paid b']);
  });

  it('follows the clock of a planned window', async () => {
    await open('redeliver');
    await app.maintenance.enable({ endsAt: new Date(Date.now() + 300) });
    rabbit.emit('sold', 'a');
    await settled();
    expect(rabbit.unsettled).toBe(1);
    await new Promise<void>((resolve) => app.maintenance.changes.subscribe(() => resolve()));
    await settled();
    expect(app.journal).toEqual(['sold a']);
  });

  it('settles an event once that two handlers refuse', async () => {
    await open('redeliver', false, [Handlers, MoreHandlers]);
    await app.maintenance.enable();
    rabbit.emit('sold', 'a');
    await settled();
    await app.maintenance.disable();
    await settled();
    expect(rabbit.settled).toEqual(['requeue sold', 'ack sold']);
  });

  it('acknowledges a refused request, and keeps an event that went to a handler of messages', async () => {
    await open('redeliver');
    await app.maintenance.enable();
    await expect(rabbit.request('buy', 'a')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    rabbit.emit('buy', 'b');
    await settled();
    expect(rabbit.settled).toEqual(['ack buy']);
    expect(rabbit.unsettled).toBe(1);
  });

  it.each([
    ['acknowledges a refused event with drop', 'drop', ['ack sold'], 0],
    ['leaves the message to a function', (): void => undefined, [], 1],
  ] as [string, Events, string[], number][])('%s', async (_name, events, expected, unsettled) => {
    await open(events);
    await app.maintenance.enable();
    rabbit.emit('sold', 'a');
    await settled();
    expect(app.journal).toEqual([]);
    expect(rabbit.settled).toEqual(expected);
    expect(rabbit.unsettled).toBe(unsettled);
    expect(app.complaints).toEqual([]);
  });

  it.each(['redeliver', 'drop'] as const)('settles nothing with noAck: true and %s', async (events) => {
    await open(events, true);
    await app.maintenance.enable();
    rabbit.emit('sold', 'a');
    await rabbit.request('buy', 'b').catch(() => undefined);
    await settled();
    await app.maintenance.disable();
    await settled();
    expect(rabbit.settled).toEqual([]);
    expect(app.complaints).toEqual(
      events === 'redeliver' ? [expect.stringMatching(/RabbitServer.*lost.*`noAck: false`/)] : [],
    );
  });
});

describe.each(KINDS)('Kafka, %s', (kind) => {
  let kafka: KafkaServer;
  let app: RpcRunning;
  const open = async (events: Events): Promise<void> => {
    kafka = new KafkaServer();
    app = await running(kind, kafka, { microservices: { events } });
  };
  afterEach(() => app.close());

  it('pauses the topic, commits nothing, and goes on when the window is over', async () => {
    await open('redeliver');
    await app.maintenance.enable();
    for (const item of ['a', 'b']) kafka.emit('sold', item);
    kafka.emit('audited', 'c');
    await settled();
    expect(kafka.paused).toEqual(['sold']);
    expect(kafka.committed).toEqual(['audited "c"']);
    expect(kafka.thrown).toHaveLength(1);
    await app.maintenance.disable();
    await settled();
    expect(kafka.committed).toEqual(['audited "c"', 'sold "a"', 'sold "b"']);
    expect(app.journal).toEqual(['audited c', 'sold a', 'sold b']);
    expect(kafka.paused).toEqual([]);
    expect(app.complaints).toEqual([]);
  });

  it('pauses all topics again for a consumer that has forgotten them', async () => {
    await open('redeliver');
    await app.maintenance.enable();
    kafka.emit('sold', 'a');
    kafka.emit('paid', 'b');
    await settled();
    expect(kafka.paused).toEqual(['sold', 'paid']);
    kafka.restart();
    await settled();
    expect(kafka.paused.sort()).toEqual(['paid', 'sold']);
    expect(kafka.committed).toEqual([]);
  });

  it.each([
    ['drop', 'drop'],
    ['a function that returns', (): void => undefined],
  ] as [string, Events][])('commits a refused event with %s', async (_name, events) => {
    await open(events);
    await app.maintenance.enable();
    kafka.emit('sold', 'a');
    await settled();
    expect(app.journal).toEqual([]);
    expect(kafka.committed).toEqual(['sold "a"']);
    expect(kafka.paused).toEqual([]);
    expect(app.complaints).toEqual([]);
  });

  it('commits nothing where a function throws', async () => {
    let isFull = true;
    await open((_context: ExecutionContext) => {
      if (isFull) throw new Error('the shelf is full');
    });
    await app.maintenance.enable();
    kafka.emit('sold', 'a');
    await settled();
    expect(kafka.committed).toEqual([]);
    isFull = false;
    await app.maintenance.disable();
    await eventually(() => expect(kafka.committed).toEqual(['sold "a"']));
  });
});

import { Controller, Inject, Injectable, Scope, UseGuards } from '@nestjs/common';
import { EventPattern, GrpcMethod, GrpcStreamCall, GrpcStreamMethod, MessagePattern } from '@nestjs/microservices';
import {
  ForceMaintenance,
  MaintenanceAccess,
  MaintenanceGuard,
  MaintenanceScope,
  SkipMaintenance,
} from 'nestjs-maintenance';
import { concatMap, finalize, from, interval, map, take, type Observable } from 'rxjs';

/** The events whose handlers have run. */
export class Journal extends Array<string> {}

interface Item {
  name: string;
}

/** A gRPC call as handlers with `@GrpcStreamCall()` receive it. */
interface Call {
  on(event: 'data' | 'end', listener: (item: Item) => void): void;
  write(item: Item): void;
  end(): void;
}

/** Counts open streams. */
export const open = { streams: 0 };

function emitForever(item: Item): Observable<Item> {
  open.streams++;
  return interval(10).pipe(
    map(() => item),
    finalize(() => open.streams--),
  );
}

@Controller()
export class ShopHandlers {
  constructor(@Inject(Journal) private readonly journal: Journal) {}

  @MessagePattern('buy')
  buy(item: Item): Item {
    return { name: `bought ${item.name}` };
  }

  @MaintenanceAccess('read')
  @MessagePattern('look')
  look(item: Item): Item {
    return item;
  }

  @MaintenanceScope('payments')
  @MessagePattern({ cmd: 'pay' })
  pay(item: Item): Item {
    return item;
  }

  @SkipMaintenance()
  @MessagePattern('ping')
  ping(item: Item): Item {
    return item;
  }

  @ForceMaintenance()
  @MessagePattern('fax')
  fax(item: Item): Item {
    return item;
  }

  @MessagePattern('tick')
  tick(item: Item): Observable<Item> {
    return emitForever(item);
  }

  @SkipMaintenance()
  @MessagePattern('tick.open')
  tickOpen(item: Item): Observable<Item> {
    return emitForever(item).pipe(take(100));
  }

  @EventPattern('sold')
  sold({ name }: Item): void {
    this.journal.push(`sold ${name}`);
  }

  @SkipMaintenance()
  @EventPattern('audited')
  audited({ name }: Item): void {
    this.journal.push(`audited ${name}`);
  }
}

/** A second handler of an event. */
@Controller()
export class SoldHandlers {
  constructor(@Inject(Journal) private readonly journal: Journal) {}

  @SkipMaintenance()
  @EventPattern('sold')
  booked({ name }: Item): void {
    this.journal.push(`booked ${name}`);
  }
}

let begun: () => void = () => undefined;
let answered: Promise<void> = Promise.resolve();

/** Makes the next `slow` message wait until `answer()` is called. */
export function slow(): { promise: Promise<void>; answer: () => void } {
  let answer!: () => void;
  const promise = new Promise<void>((resolve) => (begun = resolve));
  answered = new Promise((resolve) => (answer = resolve));
  return { promise, answer };
}

@Controller()
export class SlowHandlers {
  @MessagePattern('slow')
  async slow(item: Item): Promise<Item> {
    begun();
    await answered;
    return item;
  }
}

@SkipMaintenance()
@Controller()
export class OpenHandlers {
  @MessagePattern('open')
  open(item: Item): Item {
    return item;
  }

  @SkipMaintenance(false)
  @MessagePattern('open.undone')
  undone(item: Item): Item {
    return item;
  }
}

@Controller()
export class GuardedHandlers {
  @UseGuards(MaintenanceGuard)
  @MessagePattern('guarded')
  guarded(item: Item): Item {
    return item;
  }

  @MessagePattern('unguarded')
  unguarded(item: Item): Item {
    return item;
  }
}

@Injectable({ scope: Scope.REQUEST })
export class PerRequest {}

@Controller()
export class ScopedHandlers {
  constructor(@Inject(PerRequest) readonly perRequest: PerRequest) {}

  @MessagePattern('scoped')
  scoped(item: Item): Item {
    return item;
  }
}

@Controller()
export class GrpcHandlers {
  @GrpcMethod('Shop', 'Buy')
  buy(item: Item): Item {
    return { name: `bought ${item.name}` };
  }

  @SkipMaintenance()
  @GrpcMethod('Shop', 'Open')
  open(item: Item): Item {
    return item;
  }

  @GrpcMethod('Shop', 'Watch')
  watch(item: Item): Observable<Item> {
    return item.name === 'endless' ? emitForever(item) : from([item, item]);
  }

  @GrpcStreamMethod('Shop', 'Chat')
  chat(items: Observable<Item>): Observable<Item> {
    return items.pipe(concatMap((item) => [item, item]));
  }

  @GrpcStreamMethod('Shop', 'Collect')
  collect(items: Observable<Item>): Observable<Item> {
    return items.pipe(take(1));
  }

  @GrpcStreamCall('Shop', 'Pour')
  pour(call: Call): void {
    call.on('data', (item) => call.write(item));
    call.on('end', () => call.end());
  }

  @GrpcStreamCall('Shop', 'Fill')
  fill(call: Call, callback: (error: null, item: Item) => void): void {
    let last: Item = { name: '' };
    call.on('data', (item) => (last = item));
    call.on('end', () => callback(null, last));
  }
}

import { Processor, WorkerHost } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { Job } from 'bullmq';
import { RunInMaintenance } from 'nestjs-maintenance';
import { setTimeout as delay } from 'node:timers/promises';

/** Takes the place of a mail server. */
@Injectable()
export class Outbox {
  readonly sent: string[] = [];
}

/** The worker is paused during maintenance: jobs wait in Redis. A job in progress is finished, and waited for. */
@Processor('mails')
export class MailProcessor extends WorkerHost {
  constructor(private readonly outbox: Outbox) {
    super();
  }

  async process({ data }: Job<{ to: string; slow?: boolean }>): Promise<void> {
    if (data.slow) await delay(2_000);
    this.outbox.sent.push(data.to);
  }
}

@RunInMaintenance()
@Processor('alarms')
export class AlarmProcessor extends WorkerHost {
  constructor(private readonly outbox: Outbox) {
    super();
  }

  async process({ data }: Job<{ to: string }>): Promise<void> {
    this.outbox.sent.push(data.to);
  }
}

import { InjectQueue } from '@nestjs/bullmq';
import { Body, Controller, Get, Post } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { SkipMaintenance } from 'nestjs-maintenance';
import { Outbox } from './processors.js';

/** Admitted during maintenance: it only touches Redis, and the jobs wait there. */
@SkipMaintenance()
@Controller()
export class MailsController {
  constructor(
    @InjectQueue('mails') private readonly mails: Queue,
    @InjectQueue('alarms') private readonly alarms: Queue,
    private readonly outbox: Outbox,
  ) {}

  @Post('mails')
  async sendMail(@Body() mail: { to: string; slow?: boolean }): Promise<{ id?: string }> {
    const { id } = await this.mails.add('send', mail);
    return { id };
  }

  @Post('alarms')
  async sendAlarm(@Body() alarm: { to: string }): Promise<{ id?: string }> {
    const { id } = await this.alarms.add('send', alarm);
    return { id };
  }

  @Get('mails')
  async list(): Promise<{ sent: string[]; waiting: number; active: number }> {
    // A job that the worker had already asked for when it was paused returns to the queue as a delayed one.
    const { wait = 0, delayed = 0, active = 0 } = await this.mails.getJobCounts('wait', 'delayed', 'active');
    return { sent: this.outbox.sent, waiting: wait + delayed, active };
  }
}

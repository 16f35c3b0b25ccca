import { Controller, HttpCode, Post } from '@nestjs/common';
import { SkipMaintenance } from 'nestjs-maintenance';

/** The courier does not try again, so its messages are always taken. */
@SkipMaintenance()
@Controller('webhooks')
export class WebhooksController {
  @Post('courier')
  @HttpCode(202)
  courier(): object {
    return { received: true };
  }
}

import { Controller, HttpCode, Post } from '@nestjs/common';
import { SkipMaintenance } from 'nestjs-maintenance';

/** The courier does not retry, so its messages are always admitted. */
@SkipMaintenance()
@Controller('webhooks')
export class WebhooksController {
  @Post('courier')
  @HttpCode(202)
  courier(): object {
    return { received: true };
  }
}

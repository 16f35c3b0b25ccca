import { Controller, Get } from '@nestjs/common';
import { ForceMaintenance } from 'nestjs-maintenance';

@Controller('api/reports')
export class ReportsController {
  /** Closed for good: it took the database down twice. */
  @ForceMaintenance()
  @Get('turnover')
  turnover(): object {
    return { turnover: 0 };
  }
}

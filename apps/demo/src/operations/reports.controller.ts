import { Controller, Get } from '@nestjs/common';
import { ForceMaintenance } from 'nestjs-maintenance';

@Controller('api/reports')
export class ReportsController {
  /** Always refused, because this report has overloaded the database. */
  @ForceMaintenance()
  @Get('turnover')
  turnover(): object {
    return { turnover: 0 };
  }
}

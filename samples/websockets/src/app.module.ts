import { Module } from '@nestjs/common';
import { MaintenanceModule } from 'nestjs-maintenance';
import { ChatGateway } from './chat.gateway.js';

@Module({
  imports: [MaintenanceModule.forRoot()],
  providers: [ChatGateway],
})
export class AppModule {}

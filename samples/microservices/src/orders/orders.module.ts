import { Module } from '@nestjs/common';
import { MaintenanceModule } from 'nestjs-maintenance';
import { OrdersController } from './orders.controller.js';

@Module({ imports: [MaintenanceModule.forRoot()], controllers: [OrdersController] })
export class OrdersModule {}

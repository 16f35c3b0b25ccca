import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { MaintenanceModule } from 'nestjs-maintenance';
import { PrismaService } from './prisma.service.js';
import { ProductsController } from './products.controller.js';

@Module({
  imports: [ConfigModule.forRoot(), MaintenanceModule.forRoot()],
  controllers: [ProductsController],
  providers: [PrismaService],
})
export class AppModule {}

import { Module } from '@nestjs/common';
import { MaintenanceModule } from 'nestjs-maintenance';
import { NotesController } from './notes.controller.js';

@Module({
  imports: [MaintenanceModule.forRoot({ publicStatus: true })],
  controllers: [NotesController],
})
export class AppModule {}

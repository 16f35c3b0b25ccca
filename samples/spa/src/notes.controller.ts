import { Body, Controller, Get, Post } from '@nestjs/common';

@Controller('notes')
export class NotesController {
  private readonly notes = ['Water the plants'];

  @Get()
  list(): string[] {
    return this.notes;
  }

  @Post()
  add(@Body('text') text: string): string[] {
    this.notes.push(text);
    return this.notes;
  }
}

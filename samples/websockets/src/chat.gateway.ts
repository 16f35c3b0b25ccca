import { MessageBody, SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import { MaintenanceAccess } from 'nestjs-maintenance';
import type { Server } from 'socket.io';

/** A chat without a line for maintenance mode, but for the message that only reads. */
@WebSocketGateway({ cors: true })
export class ChatGateway {
  @WebSocketServer()
  private readonly server!: Server;
  private readonly posts: string[] = [];

  @SubscribeMessage('post')
  post(@MessageBody() text: string) {
    this.posts.push(text);
    this.server.emit('posted', text);
    return { posts: this.posts.length };
  }

  @MaintenanceAccess('read') // read-only windows admit it
  @SubscribeMessage('history')
  history() {
    return this.posts;
  }
}

// A client without a line for the reconnection: socket.io does it. It posts a text every two seconds.
import { io } from 'socket.io-client';

const socket = io(process.env.URL ?? 'http://localhost:3000');
socket.on('connect', () => console.log('connected'));
socket.on('posted', (text) => console.log(`posted: ${text}`));
socket.on('maintenance', ({ message, retryAfter }) => console.log(`maintenance: ${message} (${retryAfter} s)`));
socket.on('disconnect', (reason) => console.log(`disconnected: ${reason}`));
socket.on('connect_error', () => console.log('not connected, trying again'));

let count = 0;
setInterval(() => {
  if (!socket.connected) return;
  socket.emit('post', `hello ${++count}`, ({ errorCode, message }) => {
    if (errorCode === 'MAINTENANCE') console.log(`refused: ${message}`);
  });
}, 2000);

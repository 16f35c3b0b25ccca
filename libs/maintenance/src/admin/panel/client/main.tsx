import { render } from 'preact';
import { App } from './app.js';
import { startConnection } from './connection.js';

render(<App />, document.getElementById('panel')!);
startConnection();

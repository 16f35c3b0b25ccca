import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Bytes on their way, and when they may arrive. */
interface Parcel {
  data: Buffer;
  dueAt: number;
}

/** Stands between clients and a server, and does to their connections what networks do. */
export class FaultyLine {
  readonly port: number;
  #delay = 0;
  #truncatesAfter: number | null = null;
  readonly #lanes = new Set<Lane>();
  readonly #clients = new Set<Socket>();

  private constructor(
    private readonly target: number,
    private readonly server: Server,
  ) {
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#join(client));
  }

  /** @param target - the port of the server */
  static async to(target: number): Promise<FaultyLine> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultyLine(target, server);
  }

  /** Connections that are open. */
  get open(): number {
    return this.#clients.size;
  }

  /** From now on everything takes so many milliseconds longer, in both directions; `Infinity`: nothing passes. */
  delay(milliseconds: number): void {
    this.#delay = milliseconds;
  }

  /** From now on each answer is cut off after so many bytes, and its connection with it. */
  truncate(bytes: number): void {
    this.#truncatesAfter = bytes;
  }

  /** Nothing passes any more on the lines that are open, as after a firewall has forgotten them; new ones work. */
  silence(): void {
    this.#lanes.forEach((lane) => lane.silence());
  }

  /** Closes all lines that are open. */
  cut(): void {
    this.#clients.forEach((client) => client.destroy());
  }

  /** Resets all lines that are open. */
  reset(): void {
    this.#clients.forEach((client) => client.resetAndDestroy());
  }

  /** Closes the listening socket and resets all connections. */
  refuse(): void {
    this.server.close();
    this.reset();
  }

  /** All is well again, and what was on its way arrives, also of clients that have gone meanwhile. */
  async heal(): Promise<void> {
    this.#delay = 0;
    this.#truncatesAfter = null;
    this.#lanes.forEach((lane) => lane.release());
    if (this.server.listening) return;
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  async close(): Promise<void> {
    await this.heal();
    this.#clients.forEach((client) => client.destroy());
    this.server.close();
    await once(this.server, 'close');
  }

  #join(client: Socket): void {
    const server = connect(this.target, '127.0.0.1');
    const ask = new Lane(server);
    const answer = new Lane(client);
    const lanes = [ask, answer];
    lanes.forEach((lane) => this.#lanes.add(lane));
    this.#clients.add(client);
    client.on('data', (data) => ask.send(data, this.#delay));
    server.on('data', (data) => {
      if (this.#truncatesAfter === null) return answer.send(data, this.#delay);
      client.write(data.subarray(0, this.#truncatesAfter), () => client.destroy());
    });
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
    }
    client.on('close', () => {
      this.#clients.delete(client);
      ask.end();
    });
    server.on('close', () => {
      lanes.forEach((lane) => this.#lanes.delete(lane));
      answer.end();
    });
  }
}

/** One direction of a connection. */
class Lane {
  #parcels: Parcel[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isEnding = false;
  #isSilent = false;

  constructor(private readonly to: Socket) {}

  send(data: Buffer, delay: number): void {
    if (this.#isSilent) return;
    this.#parcels.push({ data, dueAt: Date.now() + delay });
    this.#deliver();
  }

  /** Delivers the data under way before the end. */
  end(): void {
    this.#isEnding = true;
    this.#deliver();
  }

  silence(): void {
    this.#isSilent = true;
    this.#parcels = [];
  }

  release(): void {
    this.#parcels.forEach((parcel) => (parcel.dueAt = 0));
    this.#deliver();
  }

  #deliver(): void {
    clearTimeout(this.#timer);
    while (this.#parcels[0] && this.#parcels[0].dueAt <= Date.now()) this.to.write(this.#parcels.shift()!.data);
    const wait = (this.#parcels[0]?.dueAt ?? Infinity) - Date.now();
    if (this.#parcels.length === 0 && this.#isEnding) this.to.destroySoon();
    else if (wait < Infinity) this.#timer = setTimeout(() => this.#deliver(), wait);
  }
}

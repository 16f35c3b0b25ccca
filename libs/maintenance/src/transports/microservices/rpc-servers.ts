import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { patchMethod } from '../../utils/patch-method.js';
import type { RpcServer } from './rpc-server.js';

/** A handler that Nest gave to a server. */
export interface Registration {
  pattern: unknown;
  isEvent: boolean;
  /** Whether Nest has just asked the application's configuration for global guards, as it does before it makes a static handler. */
  hasReadGlobalGuards: boolean;
}

export interface RpcServersDeps {
  modules: ModulesContainer;
  config: ApplicationConfig;
  /**
   * Called for each server, before it has handlers. What it returns is called in the end.
   *
   * The registrations are those of the server so far; a handler's own is there when it is added.
   */
  prepareServer: (server: RpcServer, registrations: readonly Registration[]) => (() => void)[];
  /** Called when a server starts to listen, and so has all its handlers. */
  onListen: (server: RpcServer, registrations: readonly Registration[]) => void;
}

/** The servers of the application, stand-alone or connected to it, now or later. */
export class RpcServers {
  readonly #undo: (() => void)[] = [];
  #hasReadGlobalGuards = false;

  constructor(private readonly deps: RpcServersDeps) {}

  attach(): void {
    const { config, modules } = this.deps;
    this.#undo.push(
      patchMethod(config, 'getGlobalGuards', (ask) => () => {
        // Nest makes a handler and adds it in one turn: what was asked in an earlier one was asked for something else.
        if (!this.#hasReadGlobalGuards) queueMicrotask(() => (this.#hasReadGlobalGuards = false));
        this.#hasReadGlobalGuards = true;
        return ask();
      }),
    );
    const targets = modules.getRpcTargetRegistry<RpcServer>().subscribe((server) => this.#addServer(server));
    this.#undo.push(() => targets.unsubscribe());
  }

  close(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #addServer(server: RpcServer): void {
    const registrations: Registration[] = [];
    this.#hasReadGlobalGuards = false;
    this.#undo.push(
      ...this.deps.prepareServer(server, registrations),
      patchMethod(server, 'addHandler', (add) => (pattern, callback, isEvent = false, ...rest) => {
        registrations.push({ pattern, isEvent, hasReadGlobalGuards: this.#hasReadGlobalGuards });
        this.#hasReadGlobalGuards = false;
        return add(pattern, callback, isEvent, ...rest);
      }),
      patchMethod(server, 'listen', (listen) => (...args) => {
        this.deps.onListen(server, registrations);
        return listen(...args);
      }),
    );
  }
}

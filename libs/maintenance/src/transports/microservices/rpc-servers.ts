import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { replaceMethod } from '../../utils/patch-method.js';
import type { RpcServer } from './rpc-server.js';

/** A handler that Nest gave to a server. */
export interface Registration {
  pattern: unknown;
  isEvent: boolean;
  /** Whether Nest has just asked the application's configuration for global guards, as it does before it makes a static handler. */
  hasAsked: boolean;
}

export interface RpcServersParts {
  modules: ModulesContainer;
  config: ApplicationConfig;
  /**
   * Called for each server, before it has handlers. What it returns is called in the end.
   *
   * The registrations are those of the server so far; a handler's own is there when it is added.
   */
  prepare: (server: RpcServer, registrations: readonly Registration[]) => (() => void)[];
  /** Called when a server starts to listen, and so has all its handlers. */
  starts: (server: RpcServer, registrations: readonly Registration[]) => void;
}

/** The servers of the application, stand-alone or connected to it, now or later. */
export class RpcServers {
  readonly #undo: (() => void)[] = [];
  #hasAsked = false;

  constructor(private readonly parts: RpcServersParts) {}

  attach(): void {
    const { config, modules } = this.parts;
    this.#undo.push(
      replaceMethod(config, 'getGlobalGuards', (ask) => () => {
        // Nest makes a handler and adds it in one turn: what was asked in an earlier one was asked for something else.
        if (!this.#hasAsked) queueMicrotask(() => (this.#hasAsked = false));
        this.#hasAsked = true;
        return ask();
      }),
    );
    const targets = modules.getRpcTargetRegistry<RpcServer>().subscribe((server) => this.#add(server));
    this.#undo.push(() => targets.unsubscribe());
  }

  close(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  #add(server: RpcServer): void {
    const registrations: Registration[] = [];
    this.#hasAsked = false;
    this.#undo.push(
      ...this.parts.prepare(server, registrations),
      replaceMethod(server, 'addHandler', (add) => (pattern, callback, isEvent = false, ...rest) => {
        registrations.push({ pattern, isEvent, hasAsked: this.#hasAsked });
        this.#hasAsked = false;
        return add(pattern, callback, isEvent, ...rest);
      }),
      replaceMethod(server, 'listen', (listen) => (...args) => {
        this.parts.starts(server, registrations);
        return listen(...args);
      }),
    );
  }
}

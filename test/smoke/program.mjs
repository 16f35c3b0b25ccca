import 'reflect-metadata';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import * as fastify from '@nestjs/platform-fastify';
import * as library from 'nestjs-maintenance';
import * as testing from 'nestjs-maintenance/testing';
import check from './checks.cjs';

await check({ common, core, fastify, library, testing }, process.argv[2]);

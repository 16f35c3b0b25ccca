#!/usr/bin/env node
// For scripts that start the program by this path; npm links the other file.
import './nestjs-maintenance.cjs';

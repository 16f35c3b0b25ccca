import type { PageTexts } from '../page-texts.js';

export const german: PageTexts = {
  title: 'Wartungsarbeiten',
  message: 'Der Dienst wird gerade gewartet. Bitte versuchen Sie es später noch einmal.',
  readOnlyTitle: 'Vorübergehend schreibgeschützt',
  readOnlyMessage: 'Der Dienst ist während der Wartung schreibgeschützt. Lesen ist möglich, Änderungen müssen warten.',
  readOnlyNote:
    'Sie können weiterlesen. Nur Änderungen werden derzeit nicht angenommen: Ihre letzte Eingabe wurde nicht gespeichert. Mit der Zurück-Taste Ihres Browsers kommen Sie wieder zu ihr.',
  expectedEnd: 'Voraussichtliches Ende',
  timeLeft: 'Verbleibende Zeit',
  anyMoment: 'jeden Moment',
  returnsByItself: 'Sobald die Wartung beendet ist, geht es hier von selbst weiter.',
  tryAgain: 'Erneut versuchen',
  continueReading: 'Weiterlesen',
  support: 'Support kontaktieren',
  status: 'Dienststatus',
  endChanged: 'Das voraussichtliche Ende hat sich geändert.',
  opening: 'Die Seite wird geöffnet.',
  acceptedAgain: 'Änderungen sollten jetzt wieder möglich sein.',
  unavailable: 'Dienst nicht verfügbar',
};

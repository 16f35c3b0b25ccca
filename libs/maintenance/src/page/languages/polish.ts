import type { PageTexts } from '../page-texts.js';

export const polish: PageTexts = {
  title: 'Przerwa techniczna',
  message: 'Trwają prace konserwacyjne. Spróbuj ponownie później.',
  readOnlyTitle: 'Chwilowo tylko do odczytu',
  readOnlyMessage:
    'Podczas prac konserwacyjnych serwis działa tylko do odczytu. Przeglądanie działa, zmiany muszą poczekać.',
  readOnlyNote:
    'Możesz dalej czytać. Na razie odrzucane są tylko zmiany: to, co właśnie zostało wysłane, nie zostało zapisane. Przycisk Wstecz w przeglądarce pozwoli do tego wrócić.',
  expectedEnd: 'Przewidywany koniec',
  timeLeft: 'Pozostały czas',
  anyMoment: 'lada chwila',
  returnsByItself: 'Ta strona wróci sama, gdy prace się zakończą.',
  tryAgain: 'Spróbuj ponownie',
  continueReading: 'Czytaj dalej',
  support: 'Kontakt z pomocą',
  status: 'Stan usługi',
  endChanged: 'Przewidywany koniec uległ zmianie.',
  opening: 'Otwieranie strony.',
  acceptedAgain: 'Zmiany powinny być już znowu przyjmowane.',
  unavailable: 'Usługa niedostępna',
};

import type { PageTexts } from '../page-texts.js';

export const hebrew: PageTexts = {
  title: 'בתחזוקה',
  message: 'השירות נמצא בתחזוקה. נא לנסות שוב מאוחר יותר.',
  readOnlyTitle: 'לקריאה בלבד לעת עתה',
  readOnlyMessage: 'בזמן התחזוקה השירות זמין לקריאה בלבד. אפשר לקרוא, שינויים צריכים להמתין.',
  readOnlyNote:
    'אפשר להמשיך לקרוא. לעת עתה רק שינויים אינם מתקבלים: מה שנשלח כעת לא נשמר, ולחצן ”הקודם“ בדפדפן יחזיר אותך אליו.',
  expectedEnd: 'סיום משוער',
  timeLeft: 'הזמן שנותר',
  anyMoment: 'בכל רגע',
  returnsByItself: 'העמוד יחזור מעצמו בסיום התחזוקה.',
  tryAgain: 'ניסיון חוזר',
  continueReading: 'המשך קריאה',
  support: 'פנייה לתמיכה',
  status: 'מצב השירות',
  endChanged: 'מועד הסיום המשוער השתנה.',
  opening: 'העמוד נפתח.',
  acceptedAgain: 'שינויים אמורים להתקבל שוב כעת.',
  unavailable: 'השירות אינו זמין',
};
